-- Spend the first approval of the current origin that is not spent yet.
--
-- KEYS from 5: approvals, in order of preference. ARGV: 3 seconds that one is kept, then
-- the origin of each. Told last: the number of the one that is spent now, or 0.

local told = standing()
local origin = told[2]
for i = 5, 6 do
  origin = origin .. (told[i] and string.match(told[i], '^%S+') or '')
end
for i = 5, #KEYS do
  told[i + 2] = redis.call('EXISTS', KEYS[i])
end
told[#KEYS + 3] = 0
if not told[4] then
  for i = 5, #KEYS do
    if ARGV[i - 1] == origin and redis.call('SET', KEYS[i], '', 'EX', ARGV[3], 'NX') then
      told[#KEYS + 3] = i - 4
      break
    end
  end
end
return told
