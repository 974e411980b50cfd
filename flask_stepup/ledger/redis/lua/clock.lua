-- The server's clock: no host's is in what hosts decide together.

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function precise(seconds)
  return string.format('%.6f', seconds)
end
