-- Write a right code down; on its first use clear the user's attempts.
--
-- KEYS: 5 the user's attempts, from 6 the code by each of its digests. ARGV: 3 seconds
-- that a code is kept, 4 the ticket of the attempt, or nothing.

local told = standing()
-- Before anything is written: what fails half-way is not undone.
local is_counted = ARGV[4] ~= '' and redis.call('ZSCORE', KEYS[5], ARGV[4])
local is_first = 1
for i = 6, #KEYS do
  if not redis.call('SET', KEYS[i], '', 'EX', ARGV[3], 'NX') then
    is_first = 0
  end
end
if is_first == 1 then
  redis.call('DEL', KEYS[5])
  is_counted = false
end
told[7] = is_first
told[8] = is_counted and 1 or 0
return told
