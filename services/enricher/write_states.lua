-- Write state and features of several customers, each only where the state's header is still what the caller read.
-- KEYS: state, features per customer
-- ARGV: header bytes, then expected header, new state, new features per customer
-- Returns the places (from 1) of the customers that were not written.
local header_end = tonumber(ARGV[1]) - 1
local refused = {}
for i = 1, #KEYS, 2 do
  local a = (i - 1) / 2 * 3 + 2
  if redis.call('GETRANGE', KEYS[i], 0, header_end) == ARGV[a] then
    redis.call('SET', KEYS[i], ARGV[a + 1])
    redis.call('SET', KEYS[i + 1], ARGV[a + 2])
  else
    refused[#refused + 1] = (i + 1) / 2
  end
end
return refused
