-- Take another id, if this is still the one.
--
-- KEYS: 1 the ledger's id. ARGV: 1 the new id, 2 seconds that it is kept, 3 the old one.

local id = redis.call('GET', KEYS[1])
if id and id ~= ARGV[3] then
  return id
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ARGV[1]
