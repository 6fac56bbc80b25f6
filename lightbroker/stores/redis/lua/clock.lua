-- The time: that of the server, unless the caller injects another one.
now = tonumber(now)
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
