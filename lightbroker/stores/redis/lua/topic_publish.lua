-- Send a message to every process that listens to its topic, and of each group to the one whose turn it is. KEYS: who
-- listens to what, then the lists for the entries that match. ARGV: the version of what the caller knows, a version if
-- it changes, the caller's inbox, the message, how many of the lists are not of groups, then the entry of each list.
-- The reply: 1, how many others have it, and the entries of the groups whose turn is the caller's. Or 0 and all that
-- is listened to, if the caller did not know it; then nobody got anything.
local registry = KEYS[1]
local known, version, own, message, plain = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

if (redis.call('HGET', registry, 'version') or '') ~= known then
  return {0, redis.call('HGETALL', registry)}
end

-- Redis counts who hears it: a process that does not listen any more is taken off the list.
local function heard(list, entry, inbox)
  if redis.call('PUBLISH', inbox, entry .. '\n' .. message) > 0 then
    return true
  end
  redis.call('LREM', list, 0, inbox)
  if redis.call('EXISTS', list) == 0 then
    redis.call('HDEL', registry, entry)
    redis.call('HSET', registry, 'version', version)
  end
  return false
end

local others, told, reply = 0, {[own] = true}, {1, 0}
for i = 2, #KEYS do
  local list, entry = KEYS[i], ARGV[i + 4]
  if i - 1 <= plain then
    for _, inbox in ipairs(redis.call('LRANGE', list, 0, -1)) do
      if not told[inbox] then -- the copies for its subscribers are made there
        told[inbox] = true
        others = others + (heard(list, entry, inbox) and 1 or 0)
      end
    end
  else
    local inbox
    repeat
      inbox = redis.call('LMOVE', list, list, 'LEFT', 'RIGHT')
    until not inbox or inbox == own or heard(list, entry, inbox)
    if inbox == own then
      reply[#reply + 1] = entry
    elseif inbox then
      others = others + 1
    end
  end
end
reply[2] = others
return reply
