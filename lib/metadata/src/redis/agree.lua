-- The value of a name: what was there, or else what is offered.
-- KEYS[1]: what is agreed on. ARGV: the name, the offer.

redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])
