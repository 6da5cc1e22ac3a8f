transfers-lead = Access that was opened under an agreement, in either direction.
transfers-none = No transfers yet
transfers-none-hint = Open <a>an agreement</a> and press Get access.
