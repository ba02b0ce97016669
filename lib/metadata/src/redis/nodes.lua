-- The nodes that have not expired.
-- KEYS: the records, and until when they hold. ARGV[1]: how many at most.
-- Returns the time, then for each node when its registration expires and its record, after the time of its renewal.

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local answer = { now }
local alive = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for position = 1, #alive, 2 do
  local record = redis.call('HGET', KEYS[1], alive[position])
  if record then
    answer[#answer + 1] = alive[position + 1]
    answer[#answer + 1] = record
  end
end
return answer
