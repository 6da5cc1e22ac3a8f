# 术语表（每个概念只用一个词）
#   product 产品          catalogue 目录        offer 要约            terms 条款
#   negotiation 协商      agreement 合约        transfer 传输         version 版本
#   provider 提供方       consumer 消费方       participant 参与方    peer 对等方
#   node 节点             API token API 令牌    profile file 凭据文件  credential 凭据
#   sign (an agreement) 签署   sign in 登录      withdraw 下架         publish 发布
#   terminate/end 终止    suspend 暂停          resume 恢复           complete 完成
#   identifier 标识符     operator（节点）运维人员   request id 请求编号
# 排版：中文与西文、数字之间留一个空格；引号用“”；句末用全角标点。

## 每个页面的外框

common-skip = 跳到正文
common-participant = 参与方：
common-signed-in = 当前用户：
common-sign-out = 退出登录
common-log-held = 日志已被暂停：不再签名，目前发生之事的证据正在等待。
common-log-held-see = 查看原因
common-audits = 您以审计员身份查看此参与方：可读取全部内容，不可更改。
common-menu = 主导航
common-room-home = 概览
common-room-publish = 发布
common-room-products = 产品
common-room-peers = 对等方
common-room-negotiations = 协商
common-room-agreements = 合约
common-room-transfers = 传输
common-room-evidence = 存证
common-room-connections = 连接
common-room-tokens = API 令牌
common-room-node = 节点
common-live = 实时更新中
common-lost = 连接中断，正在重试…
common-made = 页面生成于 { $when }
common-request = 请求编号 <code>{ $id }</code>
common-language = 语言

## 时间

common-moment = { $year }年{ $month }月{ $day }日 { $clock } UTC
common-days = { $n } 天
common-hours = { $n } 小时
common-minutes = { $n } 分钟
common-seconds = { $n } 秒
common-span = { $larger } { $smaller }
common-just-now = 刚刚
common-minutes-ago = { $n } 分钟前
common-hours-ago = { $n } 小时前
common-days-ago = { $n } 天前
common-reason = 理由：
common-role-with = { $role } · 对方：{ $peer }
common-start = 返回首页
common-older = 更早的记录
common-undelivered = 下一条消息尚未送达对方：
common-undelivered-hint = 节点会持续重试，您无需操作。
common-you = 己方
common-colon = ：
common-filters = 筛选
common-filters-off = 清除全部筛选
common-filter-off = （取消此筛选）
common-filter-more = 另有 { $n } 项
common-problems = 有 { $n } 处需要更正
common-room-people = 人员
common-room-waiting = 待处理
common-ended-by = 由 { $who } 终止。
