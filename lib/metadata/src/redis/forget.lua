-- Forgets a node, if it is there.
-- KEYS: the records, and until when they hold. ARGV[1]: the node's name.

redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 'OK'
