-- Check the caps and add one contact, atomically. Nothing is written unless the answer is "reserved".
-- KEYS: contacts of the customer, and where there may be one for ever: once-marker of customer, campaign and channel
-- ARGV: contact (25 bytes: at_ms, request hash, campaign hash, channel and withheld), rows kept, kept_ms, once_ms,
--       then for each cap two: since_ms and how many contacts later than that there may be
-- Answers "reserved", "repeated", "already_contacted", or the number of the first cap that is full, from 1.
local SIZE, FIRST_CAP = 25, 5
local contact, rows_kept, kept = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local now, request = struct.unpack('<I8', contact), string.sub(contact, 9, 16)

local ledger = redis.call('GET', KEYS[1]) or ''
-- Another row behind a damaged one would be read out of step for ever.
if #ledger % SIZE ~= 0 then return redis.error_reply('the ledger is not made of rows') end
if KEYS[2] then
  local marked = redis.call('GET', KEYS[2])
  if marked then
    return marked == request and 'repeated' or 'already_contacted'
  end
end

local times, rows = {}, {}
for start = 1, #ledger, SIZE do
  local row = string.sub(ledger, start, start + SIZE - 1)
  if string.sub(row, 9, 16) == request then return 'repeated' end
  rows[#rows + 1] = row
  times[#times + 1] = struct.unpack('<I8', row)
end

for cap = FIRST_CAP, #ARGV, 2 do
  local since, left = tonumber(ARGV[cap]), tonumber(ARGV[cap + 1])
  for place = 1, #times do
    if times[place] > since then left = left - 1 end
  end
  if left <= 0 then return (cap - FIRST_CAP) / 2 + 1 end
end

-- In the order of their times, also where another service's clock runs ahead: what is dropped is always the oldest.
local place = #rows + 1
while place > 1 and times[place - 1] > now do place = place - 1 end
table.insert(rows, place, contact)
table.insert(times, place, now)
local first = math.max(1, #rows - rows_kept + 1)
while times[first] <= now - kept do first = first + 1 end
redis.call('SET', KEYS[1], table.concat(rows, '', first), 'PX', kept)
if KEYS[2] then redis.call('SET', KEYS[2], request, 'PX', ARGV[4]) end
return 'reserved'
