# 操作之后显示一次的提示：notice-{提示名}

notice-signed-out = 您已退出登录。
notice-product-withdrawn = 产品已下架。此前订立的合约继续有效。
notice-negotiation-begun = 请求已发出。本页会跟踪后续进展。
notice-negotiation-agreed = 您已同意。合约正在发往消费方。
notice-offer-accepted = 您已接受要约。接下来由提供方签署。
notice-negotiation-terminated = 协商已终止，系统会通知对方。
notice-access-requested = 已请提供方开通访问。本页会跟踪后续进展。
notice-agreement-ended = 合约已终止。其下的传输一并终止，数据不可再读取。
notice-transfer-suspended = 访问已暂停。只有您可以恢复。
notice-transfer-resumed = 访问已恢复。
notice-transfer-completed = 传输已完成。
notice-transfer-terminated = 传输已终止，系统会通知对方。
notice-token-revoked = 令牌已吊销。使用它的程序从现在起将被拒绝。
notice-peer-added = 已添加对等方，正在读取其目录。
notice-peer-removed = 已移除对等方。与其的交易保留。
notice-catalog-refreshed = 正在重新读取目录。
notice-published = 已发布到您的目录。
notice-publication-discarded = 已放弃。
notice-publication-cancelled = 已停止读取。
notice-publication-saved = 已保存。
notice-connection-removed = 连接已移除。
notice-person-changed = 更改已保存。
notice-person-removed = 已移除该人员，其会话已结束。
notice-password-changed = 密码已更改，您的其他会话已结束。
