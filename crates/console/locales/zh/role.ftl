role-provider = 我方提供
role-consumer = 我方消费
