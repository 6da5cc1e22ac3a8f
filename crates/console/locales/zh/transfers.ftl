transfers-lead = 依据合约开通的访问，包括提供和消费两个方向。
transfers-none = 还没有传输
transfers-none-hint = 打开<a>合约</a>，点击“获取访问权限”。
