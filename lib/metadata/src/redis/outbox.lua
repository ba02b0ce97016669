-- The outbox. What is done is the first argument; what the keys hold is said in outbox.rs.
-- KEYS: their prefix, and one that is never there. All of them share its hash tag, and so its slot.
-- ARGV[1]: the name of the call; the rest are its own arguments.

local root = KEYS[1]
local told, letters, states, boxes, dead = root .. ':told', root .. ':letters', root .. ':states', root .. ':boxes', root .. ':dead'
local next_arg = 2

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function due_key(endpoint)
  return root .. ':due:' .. endpoint
end

local function turns_key(broadcast, endpoint)
  return root .. ':turns:' .. broadcast .. ':' .. endpoint
end

local function count(endpoint, waiting, died)
  redis.call('HINCRBY', boxes, 'waiting ' .. endpoint, waiting)
  redis.call('HINCRBY', boxes, 'dead ' .. endpoint, died)
end

local function state_of(number)
  local text = redis.call('HGET', states, number)
  return text and cjson.decode(text)
end

local function keep(number, state)
  redis.call('HSET', states, number, cjson.encode(state))
end

-- Makes the first letter due whose turn it is.
local function take_turn(broadcast, endpoint)
  local first = redis.call('LINDEX', turns_key(broadcast, endpoint), 0)
  if first then
    redis.call('ZADD', due_key(endpoint), 'NX', now, first)
  end
end

local function bury(number, state, why)
  state.why, state.died = why, now
  keep(number, state)
  redis.call('ZADD', dead, number, number)
end

local function discard(number)
  if redis.call('ZREM', dead, number) == 0 then
    return 0
  end
  local state = state_of(number)
  redis.call('HDEL', letters, number)
  redis.call('HDEL', states, number)
  if state then
    count(state.endpoint, 0, -1)
  end
  return 1
end

-- Forgets the oldest dead letters beyond their limit.
local function forget(max)
  local over = redis.call('ZCARD', dead) - max
  if over <= 0 then
    return 0
  end
  for _, number in ipairs(redis.call('ZRANGE', dead, 0, over - 1)) do
    discard(number)
  end
  return over
end

local call = {}

function call.begin()
  redis.call('HSETNX', root, 'since', string.format('%.0f', now))
  return redis.call('HGET', root, 'since')
end

function call.tell()
  local broadcast, before, after = arg(), arg(), arg()
  local waiting_max, dead_max, why_gone, why_full, letters_count = tonumber(arg()), tonumber(arg()), arg(), arg(), tonumber(arg())
  if (redis.call('HGET', told, broadcast) or '') ~= before then
    return -1
  end
  redis.call('HSET', told, broadcast, after)
  for _ = 1, letters_count do
    local endpoint, letter = arg(), arg()
    local number = redis.call('HINCRBY', root, 'number', 1)
    local state = { endpoint = endpoint, broadcast = broadcast, attempts = 0, claims = 0, fresh = true }
    redis.call('HSET', letters, number, letter)
    local waiting = tonumber(redis.call('HGET', boxes, 'waiting ' .. endpoint) or '0')
    local gone = redis.call('HGET', boxes, 'gone ' .. endpoint) == '1'
    if gone or waiting >= waiting_max then
      state.fresh = false
      bury(number, state, gone and why_gone or why_full)
      count(endpoint, 0, 1)
    else
      keep(number, state)
      count(endpoint, 1, 0)
      redis.call('RPUSH', turns_key(broadcast, endpoint), number)
      take_turn(broadcast, endpoint)
    end
  end
  return forget(dead_max)
end

function call.claim()
  local endpoint, max, lease = arg(), tonumber(arg()), tonumber(arg())
  local due = due_key(endpoint)
  local answer = { redis.call('HGET', boxes, 'gone ' .. endpoint) or '0', '' }
  for _, number in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, max)) do
    redis.call('ZADD', due, now + lease, number)
    local state = state_of(number)
    state.claims = state.claims + 1
    keep(number, state)
    local text = redis.call('HGET', letters, number)
    for _, part in ipairs({ number, tostring(state.claims), state.broadcast, tostring(state.attempts), text }) do
      answer[#answer + 1] = part
    end
  end
  local next = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  if next[2] then
    answer[2] = string.format('%.0f', math.max(0, tonumber(next[2]) - now))
  end
  return answer
end

function call.settle()
  local number, claims, outcome, after, why, dead_max = arg(), tonumber(arg()), arg(), tonumber(arg()), arg(), tonumber(arg())
  local state = state_of(number)
  if not state or state.claims ~= claims or state.died then
    return 0
  end
  local endpoint, due = state.endpoint, due_key(state.endpoint)
  if not redis.call('ZSCORE', due, number) then
    return 0
  end
  if state.fresh then
    redis.call('LREM', turns_key(state.broadcast, endpoint), 1, number)
  end
  state.fresh, state.attempts = false, state.attempts + 1
  if outcome == 'again' then
    state.why = why
    keep(number, state)
    redis.call('ZADD', due, now + after, number)
  else
    redis.call('ZREM', due, number)
    if outcome == 'dead' then
      bury(number, state, why)
      count(endpoint, -1, 1)
    else
      redis.call('HDEL', letters, number)
      redis.call('HDEL', states, number)
      count(endpoint, -1, 0)
    end
  end
  take_turn(state.broadcast, endpoint)
  return forget(dead_max)
end

function call.dead()
  local after, max = arg(), tonumber(arg())
  local answer = {}
  for _, number in ipairs(redis.call('ZRANGEBYSCORE', dead, '(' .. after, '+inf', 'LIMIT', 0, max)) do
    local state = state_of(number)
    local died = string.format('%.0f', state.died)
    local text = redis.call('HGET', letters, number)
    for _, part in ipairs({ number, state.broadcast, tostring(state.attempts), died, state.why or '', text }) do
      answer[#answer + 1] = part
    end
  end
  return answer
end

function call.resend()
  local revived = 0
  for _ = next_arg, #ARGV do
    local number = arg()
    if redis.call('ZREM', dead, number) == 1 then
      local state = state_of(number)
      state.died, state.why, state.attempts = nil, nil, 0
      keep(number, state)
      redis.call('ZADD', due_key(state.endpoint), now, number)
      count(state.endpoint, 1, -1)
      revived = revived + 1
    end
  end
  return revived
end

function call.discard()
  local discarded = 0
  for _ = next_arg, #ARGV do
    discarded = discarded + discard(arg())
  end
  return discarded
end

return call[ARGV[1]]()
