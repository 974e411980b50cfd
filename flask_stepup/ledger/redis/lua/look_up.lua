-- The look-up of a guarded request. KEYS from 5: approvals, of which is told whether
-- each is spent.

local told = standing()
for i = 5, #KEYS do
  told[i + 2] = redis.call('EXISTS', KEYS[i])
end
return told
