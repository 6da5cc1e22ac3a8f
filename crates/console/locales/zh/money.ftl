money-other = { $amount } { $currency }
money-CNY = 人民币 { $amount } 元
money-USD = { $amount } 美元
money-EUR = { $amount } 欧元
money-JPY = { $amount } 日元
money-GBP = { $amount } 英镑
money-HKD = { $amount } 港元
money-SGD = { $amount } 新加坡元
