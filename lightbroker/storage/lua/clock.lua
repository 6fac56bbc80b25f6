if not now then -- no clock is injected
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
