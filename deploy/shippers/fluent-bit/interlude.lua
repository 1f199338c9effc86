-- A line of a log as the record that Kafka is to get: topic, key and value. Lines as docs/sources.md describes.

local MONTH_DAYS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

-- Seconds since 1970 of a wall clock taken for UTC; nil for a time that does not exist.
local function seconds_of(wall)
  local year, month, day, hour, minute, second = wall:match("^(%d%d%d%d)%-(%d%d)%-(%d%d) (%d%d):(%d%d):(%d%d)$")
  if not year then return nil end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  if month < 1 or month > 12 or hour > 23 or minute > 59 or second > 59 or year < 1970 then return nil end
  local leap = (year % 4 == 0 and year % 100 ~= 0) or year % 400 == 0
  if day < 1 or day > MONTH_DAYS[month] + ((leap and month == 2) and 1 or 0) then return nil end
  local before = year - 1
  local days = 365 * (year - 1970) + math.floor(before / 4) - math.floor(before / 100) + math.floor(before / 400) - 477
  for passed = 1, month - 1 do days = days + MONTH_DAYS[passed] end
  if leap and month > 2 then days = days + 1 end
  return ((days + day - 1) * 24 + hour) * 3600 + minute * 60 + second
end

-- 64 bits of a line, as two remainders that doubles hold exactly.
local function hash_of(line)
  local first, second = 7, 11
  for place = 1, #line do
    local byte = line:byte(place)
    first = (first * 131 + byte) % 4294967291
    second = (second * 257 + byte) % 4294967279
  end
  return string.format("%08x%08x", first, second)
end

local function id_of(record, line)
  local file = tostring(record["file"] or "log"):match("([^/]+)$") or "log"
  return string.format("%s/%.0f/%s", file:sub(-60), tonumber(record["offset"]) or 0, hash_of(line))
end

-- 0, or at most 18 digits without a leading zero.
local function is_id(digits)
  return digits == "0" or (#digits <= 18 and digits:sub(1, 1) ~= "0")
end

local function listen_of(line, record)
  local number, customer, track, wall, mobile, postal =
    line:match('^(%d+),(%d+),(%d+),"([%d%-]+ [%d:]+)",([01]),"([%w %-]*)"\r?$')
  local at = wall and seconds_of(wall)
  if not at or #number > 18 or #postal > 16 or not is_id(customer) or not is_id(track) then return nil end
  local device = mobile == "1" and "DEVICE_MOBILE" or "DEVICE_PC"
  return customer, string.format(
    '{"eventId":"%s","customerId":%s,"trackId":%s,"playedAtMs":%.0f,"device":"%s","postalCode":"%s","utcOffsetMinutes":0}',
    id_of(record, line), customer, track, at * 1000, device, postal)
end

local function click_of(line, record)
  local number, customer, campaign, wall = line:match('^(%d+),(%d+),"([%w_%-]+)","([%d%-]+ [%d:]+)"\r?$')
  local at = wall and seconds_of(wall)
  if not at or #number > 18 or #campaign > 64 or not is_id(customer) then return nil end
  return customer, string.format(
    '{"eventId":"%s","customerId":%s,"kind":"AD_EVENT_KIND_CLICK","atMs":%.0f,"campaignId":"%s","channel":"CHANNEL_PLAYER"}',
    id_of(record, line), customer, at * 1000, campaign:lower())
end

-- The customer of a JSON line, "" where none is found: a wrong one is no harm, the enricher compares key and value.
local function key_of(line)
  return line:match('^{.*"customerId"%s*:%s*"?(%d+)') or line:match('^{.*"customer_id"%s*:%s*"?(%d+)') or ""
end

-- What Fluent Bit calls. The tag is the topic. A line that does not match goes out as it is, for the dead letters.
function to_event(tag, timestamp, record)
  local line = record["line"] or ""
  if line == "" or line == "\r" then return -1, timestamp, record end
  local convert = tag == "listens" and listen_of or click_of
  local key, value = convert(line, record)
  return 2, timestamp, {topic = tag, key = key or key_of(line), value = value or line}
end
