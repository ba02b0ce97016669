-- Starts a log, unless there is one: the id of its first entry, or nil.
-- KEYS[1]: the log. ARGV[1]: the compact form of Opened.

if redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
local time = redis.call('TIME')
local id = string.format('0-%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('XADD', KEYS[1], id, 'e', ARGV[1])
return id
