negotiations-lead = 所有正在走向合约的交易，以及已结束的交易。
negotiations-none = 还没有协商
negotiations-none-hint = 请在<a>对等方的目录</a>中选择要约，或等待对等方请求您的产品。
