-- Bind a queue to a pattern. KEYS: who listens to what. ARGV: the entry, the options of the queue, a version if it
-- changes, and '1' if an entry that is there shall stay as it is.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known or (known ~= ARGV[2] and ARGV[4] ~= '1') then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], 'version', ARGV[3])
end
return 0
