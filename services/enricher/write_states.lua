-- Write state and features of several customers, each only where the state's header is still what the caller read, and all
-- only while their generation is in use.
-- KEYS: what says so, then state, features per customer
-- ARGV: what it must hold (empty: nothing), header bytes, then expected header, new state, new features (empty: none) per customer
-- Returns the places (from 1) of the customers that were not written; nil where the generation is not in use.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return false end
local header_end = tonumber(ARGV[2]) - 1
local refused = {}
for i = 2, #KEYS, 2 do
  local a = (i - 2) / 2 * 3 + 3
  if redis.call('GETRANGE', KEYS[i], 0, header_end) == ARGV[a] then
    redis.call('SET', KEYS[i], ARGV[a + 1])
    if ARGV[a + 2] == '' then redis.call('DEL', KEYS[i + 1]) else redis.call('SET', KEYS[i + 1], ARGV[a + 2]) end
  else
    refused[#refused + 1] = i / 2
  end
end
return refused
