not-found-title = Not found
not-found-heading = There is nothing here
not-found-lead = The address is wrong, the thing is gone, or it belongs to somebody else.
not-found-overview = To the overview
