-- Lease units of a budget, or take units back, atomically.
-- KEYS: units leased out so far, by all replicas; the last request of this replica and its answer
-- ARGV: request id, units handed back (0: lease some), units that may be leased out by now in all,
--       the part of what is open that one lease takes (16: a sixteenth), most units of one lease, ms to remember the request
-- Answers units granted, and units leased out after that. The same request again gets the same answer and changes nothing,
-- nor does one that was overtaken by a later one of its replica: request ids are numbers and grow.
local id, returned, allowed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local part, most = tonumber(ARGV[4]), tonumber(ARGV[5])

local known, granted, leased = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+):(%d+):(%d+)$')
known = tonumber(known or '0')
if known == id then return {tonumber(granted), tonumber(leased)} end

-- A damaged count is an error in the arithmetic below: nothing is granted.
leased, granted = tonumber(redis.call('GET', KEYS[1]) or '0'), 0
if known > id then return {0, leased} end
if returned > 0 then
  leased = math.max(0, leased - returned)
elseif allowed > leased then
  granted = math.min(most, math.max(1, math.floor((allowed - leased) / part)))
  leased = leased + granted
else
  return {0, leased}
end
redis.call('SET', KEYS[1], string.format('%d', leased))
redis.call('SET', KEYS[2], string.format('%d:%d:%d', id, granted, leased), 'PX', ARGV[6])
return {granted, leased}
