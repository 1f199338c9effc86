-- Bring a generation into use, if the one that it follows still is and its maker still holds the claim.
-- KEYS: the generation in use, its offsets, the claim
-- ARGV: what must be in use (empty: nothing), the new generation, which is also what the claim must hold, its offsets
-- Returns 1; 0 where another generation came into use, -1 where the claim is somebody else's.
if redis.call('GET', KEYS[3]) ~= ARGV[2] then return -1 end
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
return 1
