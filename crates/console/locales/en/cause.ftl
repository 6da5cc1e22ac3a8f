# Whose decision a step was, or which exchange failed.
cause-person = Decided by a person here
cause-account = Decided by { $account }
cause-token = Decided with the API token “{ $token }”
cause-webhook = Decided by the program that the rule asks
cause-terms = By the agreed terms
cause-agreement = Because of what became of the agreement
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
cause-point-requested = a request
cause-point-counter_requested = a counter-request
cause-point-offered = an offer
cause-point-accepted = an acceptance
cause-point-agreed = an agreement
cause-point-verified = a verification
cause-point-transfer_requested = a request for access
cause-point-started = an open access
cause-point-suspended = a paused access
cause-point-expiring = an agreement about to expire
cause-action-agree = agree
cause-action-offer = offer
cause-action-counter = ask again
cause-action-accept = accept
cause-action-verify = verify
cause-action-finalize = finalize
cause-action-start = open access
cause-action-suspend = pause access
cause-action-complete = complete
cause-action-terminate = end it
cause-action-hold = wait for a person
cause-action-webhook = ask a program
cause-action-renew = renew
