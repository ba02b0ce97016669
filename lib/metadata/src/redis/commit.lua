-- Appends those of some events that are new; the rules are those of the trait Metadata.
--
-- KEYS: the log, the state, then the buckets that the events name, in their order.
-- ARGV: the channel of the broadcast, the greatest length of a log, the length that the log must have ('=N'), the least
--       that it must have ('>N') or '', until when it is unseen that they were away if the events were in the log before,
--       or '', the number of events; then for each event its compact form, its time if it was in the log before, the name
--       of its rule, and the rule's arguments; then, if they were in the log before, what follows them if it may be seen.
-- Returns the name of an obstacle and the log's length; or 'done' and for each event the id of its entry, or a mark:
--       '=' duplicate, 'e' ended, 'a' abandoned, '!' conflict, followed by the digest that is stored.

local log, state = KEYS[1], KEYS[2]
local next_key, next_arg = 3, 1

local function key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

local channel, len_max, expected, unseen_until, count = arg(), tonumber(arg()), arg(), tonumber(arg()), tonumber(arg())
local again = unseen_until ~= nil
local is_expected, len_expected = string.sub(expected, 1, 1), tonumber(string.sub(expected, 2))

local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local len, at = 0, 0
if newest then
  local index
  index, at = string.match(newest[1], '^(%d+)-(%d+)$')
  len, at = tonumber(index) + 1, tonumber(at)
elseif not again then
  return { 'missing', '0' }
end
if is_expected == '=' and len_expected ~= len then
  return { 'stale', tostring(len) }
elseif is_expected == '>' and len_expected > len then
  return { 'lost', tostring(len) }
end
if len + count > len_max then
  return { 'full', tostring(len) }
end

-- The clock may go back; the log does not.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not again then
  at = math.max(at, now)
end

local known = redis.call('HMGET', state, 'ended', 'paused', 'closing')
local ended, paused, closing = known[1], known[2], known[3]

-- What each rule says of an event: nil if it is new, and from there on that is known.
local rule = {}

function rule.always() end

function rule.once()
  if redis.call('HSETNX', state, arg(), '') == 0 then
    return '='
  end
end

-- Where a rendition ends, and what becomes of what is missing up to there. Nothing ends before the broadcast does.
local function end_of(field)
  local value = ended and redis.call('HGET', state, field)
  if not value then
    return -1, nil
  end
  local last, missing = string.match(value, '^(%d+) (%a+)$')
  return tonumber(last), missing
end

function rule.segment()
  local bucket, field, digest, seq, last_field = key(), arg(), arg(), tonumber(arg()), arg()
  local stored = redis.call('HGET', bucket, field)
  if stored == digest then
    return '='
  elseif stored == '' then
    return 'a'
  elseif stored then
    return '!' .. stored
  end
  local last, missing = end_of(last_field)
  if ended and seq > last then
    return 'e'
  elseif missing == 'abandoned' then
    return 'a'
  end
  redis.call('HSET', bucket, field, digest)
end

function rule.abandon()
  local bucket_len, seq, last = tonumber(arg()), tonumber(arg()), tonumber(arg())
  local by_end, missing_then = end_of(arg())
  if missing_then ~= 'abandoned' then
    by_end = -1
  end
  local outcome = '='
  while seq <= last do
    local bucket, fields, missing = key(), {}, {}
    local first = seq
    repeat
      fields[#fields + 1] = seq % bucket_len
      seq = seq + 1
    until seq > last or seq % bucket_len == 0
    for position, stored in ipairs(redis.call('HMGET', bucket, unpack(fields))) do
      if not stored and first + position - 1 > by_end then
        missing[#missing + 1] = fields[position]
        missing[#missing + 1] = ''
      end
    end
    if #missing > 0 then
      redis.call('HSET', bucket, unpack(missing))
      outcome = nil
    end
  end
  return outcome
end

function rule.pause()
  if ended or closing then
    return 'e'
  elseif paused then
    return '='
  end
  paused = true
  redis.call('HSET', state, 'paused', '')
end

function rule.resume()
  if ended or closing then
    return 'e'
  elseif not paused then
    return '='
  end
  paused = false
  -- Not the last field that goes: a script that makes a key anew fails in the middle while a cluster moves its slot.
  redis.call('HSET', state, 'resumed', '')
  redis.call('HDEL', state, 'paused')
end

function rule.unless_over()
  if ended or closing then
    return 'e'
  end
end

function rule.close()
  if ended or closing then
    return '='
  end
  closing = true
  redis.call('HSET', state, 'closing', '')
end

function rule.finish()
  local lasts = {}
  for _ = 1, 2 * tonumber(arg()) do
    lasts[#lasts + 1] = arg()
  end
  if ended then
    return '='
  end
  ended = true
  redis.call('HSET', state, 'ended', '')
  for position = 1, #lasts, 2 do
    redis.call('HSET', state, lasts[position], lasts[position + 1])
  end
end

local outcomes, appended = { 'done' }, false
for _ = 1, count do
  local body = arg()
  if again then
    at = math.max(at, tonumber(arg()))
  end
  -- What was in the log was new when it was first decided on: here it is only noted.
  local outcome = rule[arg()]()
  if again or not outcome then
    outcome = string.format('%.0f-%.0f', len, at)
    redis.call('XADD', log, outcome, 'e', body)
    len, appended = len + 1, true
  end
  outcomes[#outcomes + 1] = outcome
end
if again and now >= unseen_until then
  redis.call('XADD', log, string.format('%.0f-%.0f', len, math.max(at, now)), 'e', arg())
end
if appended then
  redis.call('PUBLISH', channel, '')
end
return outcomes
