role-provider = You provide
role-consumer = You consume
