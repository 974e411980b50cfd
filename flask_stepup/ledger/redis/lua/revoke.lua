-- Write down that what the key names was revoked just now.
--
-- KEYS: 1 the key. ARGV: 1 the new generation, 2 seconds that it is kept.

redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. precise(now()), 'EX', ARGV[2])
return {ARGV[1]}
