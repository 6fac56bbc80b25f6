-- Functions are made anew in each run, so a script includes these behind what it can do without them.
local notes = {} -- of a traced queue: id, delivery, from, to, cause; one after the other
local function note(id, attempts, source, target, cause)
  if traced == '1' then
    for _, word in ipairs({id, attempts, source, target, cause}) do
      notes[#notes + 1] = tostring(word)
    end
  end
end

-- Wake as many as can go on, from the process that has waited longest. One that is gone hears nothing and is passed
-- over; the others hear that somebody was called, and look later in case it died on the way. How many threads of the
-- calling process should try again is returned: it needs no message.
local function rouse(waiting, kind, many)
  local there = many > 0 and call('ZCARD', waiting) or 0
  if there == 0 then
    return 0
  end
  local share, mine = math.ceil(many / there), 0
  while many > 0 do
    local name = call('ZPOPMIN', waiting)[1]
    if not name then
      return mine
    end
    if name == me then
      mine = share
      many = many - share
    elseif call('PUBLISH', meta .. ':' .. name, kind .. ' ' .. share) > 0 then
      many = many - share
    end
  end
  if call('ZCARD', waiting) > 0 then
    call('PUBLISH', meta, 'called')
  end
  return mine
end

-- No delay, lease or time to live is over before this. It is lowered with each that is made, and found out anew only
-- when it has come.
local function due()
  return tonumber(call('HGET', meta, 'due')) or FAR
end

-- The reply: an errand, then what the script is about. The errand is 0, or microseconds until the caller should look
-- again (-1: it need not), how many of its threads that wait for a message, and for room, should try again, and notes.
local function finish(...)
  if soonest < FAR and soonest < due() then
    call('HSET', meta, 'due', string.format('%.0f', soonest))
    if call('EXISTS', pullers, pushers) > 0 then
      call('PUBLISH', meta, 'due ' .. string.format('%.0f', math.max(0, soonest - now)))
    end
  end
  local look = math.min(soonest, known)
  local wait = look < FAR and math.max(0, look - now) or -1
  return {{wait, rouse(pullers, 'pull', made_ready), rouse(pushers, 'push', left), notes}, ...}
end
