-- The server's clock: no host's is in what hosts decide together.
--
-- In every script ARGV 1 is a random word, which is told first: an answer is to be known
-- as that to this question, and to no earlier one of the same connection.

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function precise(seconds)
  return string.format('%.6f', seconds)
end
