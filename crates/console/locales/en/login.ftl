login-title = Sign in
login-lead = Share and trade data with organisations you do not have to trust.
login-wrong = Name and password do not match. Check both and try again.
login-throttled = Too many attempts. Wait { $wait } at most, then try again.
login-expired = Your session has ended. Please sign in again.
login-name = Name or e-mail address
login-password = Password
