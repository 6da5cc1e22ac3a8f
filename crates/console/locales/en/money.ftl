money-other = { $amount } { $currency }
money-CNY = { $amount } CNY
money-USD = { $amount } USD
money-EUR = { $amount } EUR
money-JPY = { $amount } JPY
money-GBP = { $amount } GBP
money-HKD = { $amount } HKD
money-SGD = { $amount } SGD
