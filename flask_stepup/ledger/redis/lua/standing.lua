-- What all scripts that tell a standing begin with.
--
-- KEYS: 1 the ledger's id, 2 the browser's session, 3 the user, 4 the login (the user's
-- key again where there is none). ARGV: 1 an id for a ledger that has none, 2 seconds
-- that an id is kept. GET fails on a key of another type: what cannot be read is never
-- taken for "not revoked".

-- An id is made anew where the store was emptied, and with it all tokens are void: what
-- they were revoked by is gone. It lives on while the ledger is used; a server that cannot write just now is asked again.
local function ledger_id()
  local id = redis.call('GET', KEYS[1])
  if not id then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
    return ARGV[1]
  end
  if redis.call('TTL', KEYS[1]) < ARGV[2] - 3600 then
    redis.pcall('EXPIRE', KEYS[1], ARGV[2])
  end
  return id
end

local function standing()
  return {
    ARGV[1],
    ledger_id(),
    precise(now()),
    redis.call('GET', KEYS[2]),
    redis.call('GET', KEYS[3]),
    KEYS[4] ~= KEYS[3] and redis.call('GET', KEYS[4]),
  }
end
