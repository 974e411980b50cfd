-- Take one attempt from every limit, or none at all.
--
-- KEYS: 1 the user's attempts, a sorted set of tickets by time. ARGV: 1 the ticket, which
-- ends with a colon and the name of the attempt, where it has one,
-- 2 seconds of the longest window, 3 tickets to give back first, with spaces between
-- them, then count and seconds of each limit.

local at = now()
local attempts = KEYS[1]
-- First of all: a server that is full refuses the first write of a script, and no code
-- shall be asked for that could not be written down afterwards.
redis.call('ZADD', attempts, precise(at), ARGV[1])
redis.call('ZREM', attempts, ARGV[1])
for owed in string.gmatch(ARGV[3], '%S+') do
  redis.call('ZREM', attempts, owed)
end
-- The clock was set back: what has not been yet would count until its time has come.
local ahead = redis.call('ZRANGEBYSCORE', attempts, '(' .. precise(at), '+inf')
for i = 1, #ahead do
  redis.call('ZADD', attempts, precise(at), ahead[i])
end

-- When the oldest of a window's newest attempts will have left it.
local function free_again(newest, seconds)
  local since = '(' .. precise(at - seconds)
  local oldest = newest > 0 and redis.call(
    'ZREVRANGEBYSCORE', attempts, '+inf', since, 'WITHSCORES', 'LIMIT', newest - 1, 1)
  local first = oldest and oldest[2] and math.min(tonumber(oldest[2]), at) or at
  return first + seconds
end

local locked_until, filled_until, remaining = nil, at, math.huge
for i = 4, #ARGV, 2 do
  local count, seconds = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local used = redis.call('ZCOUNT', attempts, '(' .. precise(at - seconds), '+inf')
  if used >= count then
    locked_until = math.max(locked_until or 0, free_again(count, seconds))
  elseif used == count - 1 then
    filled_until = math.max(filled_until, free_again(used, seconds))
  end
  remaining = math.min(remaining, count - used - 1)
end

if locked_until then
  return {ARGV[1], 0, math.ceil(locked_until - at), precise(locked_until)}
end
local name = string.match(ARGV[1], ':(.+)$')
for _, ticket in ipairs(name and redis.call('ZRANGE', attempts, 0, -1) or {}) do
  if string.match(ticket, ':(.+)$') == name then
    return {ARGV[1], 2, 0, precise(at)}
  end
end
redis.call('ZADD', attempts, precise(at), ARGV[1])
redis.call('ZREMRANGEBYSCORE', attempts, '-inf', precise(at - ARGV[2]))
redis.call('EXPIRE', attempts, ARGV[2] + 1)
return {ARGV[1], 1, remaining, precise(filled_until)}
