waiting-title = Waiting for you
waiting-lead = What goes on only once somebody here decides, the longest wait first.
waiting-rules = What is decided without a person is in the <a>decision rules</a> for what you ask for, and in those of each of your offers.
waiting-none = Nothing waits for you
waiting-none-hint = Where a rule of an offer says <code>hold</code>, or a peer asks for other terms than those you published, the negotiation appears here until you decide.
waiting-since = For { $span }, since { $when }
waiting-rule = A rule decides by itself { $when }, unless you do before.
waiting-differs = What differs from the offer you published
waiting-differs-asked = What differs from what you asked for
waiting-as-published = These are the terms you published.
waiting-as-asked = These are the terms you asked for.
waiting-more = { $n ->
    [one] One more negotiation waits.
   *[other] { $n } more negotiations wait.
} They appear here as you decide.
