local MOST = 1000 -- of a state that are moved on in one call, which bounds how long the server is busy with it

-- The READY whose time is over: one that nobody tried is counted and gone, one that failed is kept as evidence.
local function expire()
  local over = {}
  for _, ticket in ipairs(call('ZRANGE', mortal, '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST)) do
    over[#over + 1] = {tonumber(call('ZSCORE', mortal, ticket)), tonumber(call('ZSCORE', ready, ticket)), ticket}
  end
  table.sort(over, function(a, b)
    if a[1] == b[1] then
      return a[2] < b[2]
    end
    return a[1] < b[1]
  end)
  for _, entry in ipairs(over) do
    local attempts, failed, timed, id = string.match(entry[3], TICKET)
    call('ZREM', mortal, entry[3])
    call('ZREM', ready, entry[3])
    if failed == 'f' then
      bury(id, timed, attempts - 1, 'expired', 'READY')
    else
      forget(id, failed, timed)
      call('HINCRBY', meta, 'expired', 1)
      note(id, attempts, 'READY', 'expired', 'ttl')
      left = left + 1
    end
  end
end

-- Move on what fell due, whichever process it came from, and find out when the next does. The leases that ran out are
-- returned: how long each waits for its next try is the caller's to say.
local function catch_up()
  for _, member in ipairs(call('ZRANGE', delayed, '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST)) do
    local ticket = string.sub(member, 17)
    call('ZREM', delayed, member)
    put(ticket, 0)
    local attempts, _, _, id = string.match(ticket, TICKET)
    note(id, attempts, 'DELAYED', 'READY', 'due')
  end
  expire()
  known, soonest = FAR, FAR
  for _, key in ipairs({delayed, leased, mortal}) do
    known = math.min(known, tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]) or FAR)
  end
  call('HDEL', meta, 'due') -- first: a server that is out of memory must let in who will empty it
  call('HSET', meta, 'due', string.format('%.0f', known))
  return call('ZRANGE', leased, '-inf', now, 'BYSCORE', 'LIMIT', 0, MOST)
end
