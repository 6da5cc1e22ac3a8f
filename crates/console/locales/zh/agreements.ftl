agreements-lead = 双方均已签署并各自留存的合约。
agreements-all = 全部
agreements-none-such = 没有处于此状态的合约。
agreements-none = 还没有合约
agreements-none-hint = 合约由协商产生。请先在<a>对等方的目录</a>中选择一个要约。
