-- Check the caps and add one contact, atomically. Nothing is written unless the answer is "reserved".
-- KEYS: contacts of the customer, once-marker of customer, campaign and channel
-- ARGV: contact (25 bytes: at_ms, request hash, campaign hash, channel), now_ms, contacts per period, period_ms,
--       minimum gap_ms, rows kept, kept_ms, once_ms (0: may be repeated)
local SIZE = 25
local contact, now = ARGV[1], tonumber(ARGV[2])
local limit, period, gap = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local rows_kept, kept, once = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local ledger = redis.call('GET', KEYS[1]) or ''
-- Another row behind a damaged one would be read out of step for ever.
if #ledger % SIZE ~= 0 then return redis.error_reply('the ledger is not made of rows') end
local request = string.sub(contact, 9, 16)
if once > 0 then
  local marked = redis.call('GET', KEYS[2])
  if marked then
    return marked == request and 'repeated' or 'already_contacted'
  end
end

local counted, newest, young = 0, nil, {}
for start = 1, #ledger, SIZE do
  local row = string.sub(ledger, start, start + SIZE - 1)
  if string.sub(row, 9, 16) == request then
    return 'repeated'
  end
  local at = struct.unpack('<I8', row)
  if at > now - period then counted = counted + 1 end
  if not newest or at > newest then newest = at end
  if at > now - kept then young[#young + 1] = row end
end
if counted >= limit then return 'frequency_cap' end
if newest and math.max(0, now - newest) < gap then return 'minimum_gap' end

young[#young + 1] = contact
local first = math.max(1, #young - rows_kept + 1)
redis.call('SET', KEYS[1], table.concat(young, '', first), 'PX', kept)
if once > 0 then redis.call('SET', KEYS[2], request, 'PX', once) end
return 'reserved'
