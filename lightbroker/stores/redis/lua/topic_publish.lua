-- Send a message to every process that subscribes to its topic, and of each group to the process whose turn it is.
--
-- The keys of the topics of a prefix begin with the hash tag {PREFIX: topics}; no queue's name begins with a space.
--   {…}               registry: a hash with a random `version`, new with each change, and an entry for each pattern
--                     that has subscribers, for each group on a pattern, and for each binding of a queue; the value is
--                     '', or the options of the bound queue as JSON
--   {…}:list:ENTRY    the inboxes of the processes that subscribe, in the order of their turns; a process that has
--                     several members of a group is listed as often
--   {…}:inbox:P-N     no key but a channel: the inbox of process P on its Nth connection
--
-- KEYS   registry, then the lists of the entries that match
-- ARGV   known: the version of the registry that the caller knows; version: a new one; own: the caller's inbox;
--        message; plain: how many of the lists are not of groups. REST: the entry of each list
-- Reply  1, how many others have the message, and the entries of the groups whose turn is the caller's. Or 0 and the
--        whole registry, if the caller knows an old one; then nobody has the message
--> keys registry
--> arguments again known version own message plain
if (redis.call('HGET', registry, 'version') or '') ~= known then
  return {0, redis.call('HGETALL', registry)}
end

-- Send to one process. Redis counts the connections that hear it: a process that is gone is taken off the list.
local function send(list, entry, inbox)
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
  local list, entry = KEYS[i], ARGV[REST + i - 1]
  if i - 1 <= tonumber(plain) then
    for _, inbox in ipairs(redis.call('LRANGE', list, 0, -1)) do
      if not told[inbox] then -- once for each process, which makes the copies for its subscribers
        told[inbox] = true
        others = others + (send(list, entry, inbox) and 1 or 0)
      end
    end
  else
    local inbox
    repeat
      inbox = redis.call('LMOVE', list, list, 'LEFT', 'RIGHT')
    until not inbox or inbox == own or send(list, entry, inbox)
    if inbox == own then
      reply[#reply + 1] = entry
    elseif inbox then
      others = others + 1
    end
  end
end
reply[2] = others
return reply
