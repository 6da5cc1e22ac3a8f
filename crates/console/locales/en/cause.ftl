# Whose decision a step was, or which exchange failed. Names of points and actions are those of the rules' files.
cause-person = Decided by a person here
cause-webhook = Decided by the program that the rule asks
cause-rule = Decided by a rule: { $action }
cause-rule-at = Decided by the rule for { $at }: { $action }
cause-no-answer = { $message } to { $url } got no answer ({ $attempts ->
    [one] once
   *[other] { $attempts } attempts
}). { $answer }
cause-answer = { $message } to { $url } was answered with { $status } ({ $attempts ->
    [one] once
   *[other] { $attempts } attempts
}). { $answer }
