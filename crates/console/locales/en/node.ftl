node-well = All checks passed
node-not-well = Needs attention
node-worth-a-look = Worth a look
node-about = About
node-address = Public address
node-database = Database
node-participants = Participants
node-started = Started
node-uptime = Running for
node-jobs = Jobs
node-due = Due
node-retrying = To be tried again
node-oldest = Oldest
node-checks = Checks
node-check = Check
node-found = Found
node-ok = Well
node-look = Look at it
node-bad = Not well
node-doctor = The command <code>fondaco doctor --dir DIR</code> checks more and says how to mend what it finds.
node-check-database = Database
node-check-database-ok = It answers.
node-disk = Disk
node-disk-free = { $free } free of { $size }
node-data = Published data
node-backup = Last backup
node-backup-unknown = none known
node-failing = Failing longest
node-failing-since = Since { $when }, { $n ->
    [one] one attempt
   *[other] { $n } attempts
}
node-failing-why = The last time:
node-failing-other = It belongs to another participant, whose people see why.
node-failing-open = Open what it is about
node-job-negotiation = A message of a negotiation is to be sent to its peer.
node-job-transfer = A message of a transfer is to be sent to its peer.
node-job-other = Work of the kind { $kind } is to be done.
node-check-address = Public address
node-check-address-local = Only nodes on this machine reach it. That is right for trying out; for others, give the node a public address.
node-check-address-tls = Other organisations reach it with TLS.
node-check-address-plain = It is plain http: what is sent can be read on the way.
node-check-address-mend = Put TLS in front and set <code>public.url</code> to https.
node-check-jobs = Jobs
node-check-jobs-ok = Nothing waits longer than it should.
node-check-jobs-late = Something has been waiting for { $for } and failed before.
node-check-jobs-mend = Most often the other side is away. The node tries on by itself; ask their people if it stays so.
node-check-disk = Disk
node-check-disk-ok = { $free } free.
node-check-disk-low = Only { $free } free. Publishing and deliveries stop when it is full.
node-check-disk-mend = Make room, or move the node’s data to a larger disk.
node-check-backup = Backup
node-check-backup-ok = The last one was made { $ago }.
node-check-backup-old = The last one was made { $ago }: everything since would be lost with the disk.
node-check-backup-none = No backup was ever made here.
node-check-backup-mend = Run <code>fondaco backup --dir DIR --out FILE</code>, best every night and to another machine.
node-check-log = Log
node-check-log-ok = { $leaves } leaves, cosigned by { $n ->
    [one] one witness
   *[other] { $n } witnesses
}.
node-check-log-alone = { $leaves } leaves. Nobody else cosigns it: others must believe this node that it shows one history.
node-check-log-held = Nothing is signed. Deals go on, and their evidence waits.
node-check-log-held-mend = Run <code>fondaco log status --dir DIR</code>, then <code>fondaco log resume --dir DIR</code>.
node-check-log-forked = This log, which we witness, signed two histories. The second was refused.
node-check-log-forked-mend = Tell those who trust it: <code>fondaco log status --dir DIR --json</code> has the proof, signed by the log itself.
node-check-log-doubt = This log, which we witness, did not prove that it continues what we cosigned, and has not since.
node-check-log-doubt-mend = Ask its people whether it was put back to an earlier state: it may have forked. <code>fondaco log status --dir DIR --json</code> has the request, which proves nothing yet.
node-check-log-witness = It was asked to cosign and did not.
node-check-log-witness-mend = The node asks again by itself; ask the witness’s people if it stays so.
node-check-feeds = Product that follows its source
node-check-feeds-ok = { $n ->
    [0] No product follows a source.
    [one] One product follows its source without trouble.
   *[other] { $n } products follow their sources without trouble.
}
node-check-feed-failed = { $n ->
    [one] The last look at its source failed:
   *[other] The last { $n } looks at its source failed:
}
node-check-feed-mend = Put the source right; the node looks again { $when }. What is published stays available.
node-check-peers = Peer
node-check-peers-ok = { $n ->
    [0] No peers are known yet.
    [one] The one known peer answered last time.
   *[other] All { $n } known peers answered last time.
}
node-check-peer-failed = The last call to it failed:
node-check-peer-mend = Check its address, and ask its people. The node tries on by itself.
node-check-connections = Connection to a source
node-check-connections-ok = { $n ->
    [0] There are no connections.
    [one] The one connection worked when it was tried last.
   *[other] All { $n } connections worked when they were tried last.
}
node-check-connections-untried = { $n ->
    [one] One connection was not tried yet.
   *[other] { $n } connections were not tried yet.
}
node-check-connection-failed = It did not work when it was tried { $ago }:
node-check-connection-mend = Look at the source’s side, or put the connection right, and try it again.
node-check-more = { $n ->
    [one] One more has the same trouble.
   *[other] { $n } more have the same trouble.
}
