-- What time alone does: delays and times to live end. Leases are found, and ended by fail.lua.
local MOST = 1000 -- messages of a state that are moved in one call, which bounds how long the server is busy with it

-- READY -> expired, or DEAD if it failed before: those whose time to live is over.
local function expire_messages()
  local over = {}
  for _, entry in ipairs(call('ZRANGE', mortal, '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST)) do
    over[#over + 1] = {tonumber(call('ZSCORE', mortal, entry)), tonumber(call('ZSCORE', ready, entry)), entry}
  end
  table.sort(over, function(a, b)
    if a[1] == b[1] then
      return a[2] < b[2]
    end
    return a[1] < b[1]
  end)
  for _, timed_out in ipairs(over) do
    local entry = timed_out[3]
    local attempts, failed, timed, id = string.match(entry, ENTRY)
    call('ZREM', mortal, entry)
    call('ZREM', ready, entry)
    if failed == 'f' then
      make_dead(id, timed, attempts - 1, 'expired', 'READY')
    else
      delete_message(id, failed, timed)
      call('HINCRBY', meta, 'expired', 1)
      trace(id, attempts, 'READY', 'expired', 'ttl')
      made_room = made_room + 1
    end
  end
end

-- Move what fell due, whichever process it came from, and compute when the next thing falls due. Returns the receipts
-- of the leases that expired. The caller ends them, since it draws how long each message waits for its next try.
local function catch_up()
  for _, member in ipairs(call('ZRANGE', delayed, '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST)) do
    local entry = string.sub(member, 17) -- behind the turn
    call('ZREM', delayed, member)
    requeue(entry, 0)
    local attempts, _, _, id = string.match(entry, ENTRY)
    trace(id, attempts, 'DELAYED', 'READY', 'due')
  end
  expire_messages()
  known_due, new_due = INFINITY, INFINITY
  for _, key in ipairs({delayed, leased, mortal}) do
    known_due = math.min(known_due, tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]) or INFINITY)
  end
  -- Deleted first: a server that is out of memory refuses to set a field, but must let the consumers empty the queue.
  call('HDEL', meta, 'due')
  call('HSET', meta, 'due', string.format('%.0f', known_due))
  return call('ZRANGE', leased, '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST)
end
