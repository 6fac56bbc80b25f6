-- The reply of a script and what goes with it: the trace, and waking waiters.
--
-- Lua makes functions anew in each run, so a script includes these behind what it can do without them.
local transitions = {} -- of a traced queue: id, delivery, from, to, cause; one after the other
local function trace(id, attempts, source, target, cause)
  if traced == '1' then
    for _, word in ipairs({id, attempts, source, target, cause}) do
      transitions[#transitions + 1] = tostring(word)
    end
  end
end

-- Wake as many waiters as can go on, first those of the process that has waited longest. A process that is gone hears
-- nothing and is passed over. The other processes hear that one was called, and look later in case it died on the way.
-- Returns how many threads of the calling process should try again: it needs no message for that.
local function wake(waiting, kind, many)
  local processes = many > 0 and call('ZCARD', waiting) or 0
  if processes == 0 then
    return 0
  end
  local share, own = math.ceil(many / processes), 0
  while many > 0 do
    local name = call('ZPOPMIN', waiting)[1]
    if not name then
      return own
    end
    if name == client then
      own = share
      many = many - share
    elseif call('PUBLISH', meta .. ':' .. name, kind .. ' ' .. share) > 0 then
      many = many - share
    end
  end
  if call('ZCARD', waiting) > 0 then
    call('PUBLISH', meta, 'called')
  end
  return own
end

-- The time before which no delay, lease or time to live ends. Whatever may end earlier lowers it. `catch_up` computes
-- it anew when it has come.
local function next_due()
  return tonumber(call('HGET', meta, 'due')) or INFINITY
end

-- The reply of every script: the follow-up, then what the script is about. The follow-up is 0 if the caller has nothing
-- else to do. Otherwise it is a list: microseconds until the caller should look again (-1: it need not), how many of
-- its threads that wait for a message should try again, how many of those that wait for room, and the transitions.
local function finish(...)
  if new_due < INFINITY and new_due < next_due() then
    call('HSET', meta, 'due', string.format('%.0f', new_due))
    if call('EXISTS', pullers, pushers) > 0 then
      call('PUBLISH', meta, 'due ' .. string.format('%.0f', math.max(0, new_due - now)))
    end
  end
  local due = math.min(new_due, known_due)
  local look_in = due < INFINITY and math.max(0, due - now) or -1
  return {{look_in, wake(pullers, 'pull', made_ready), wake(pushers, 'push', made_room), transitions}, ...}
end
