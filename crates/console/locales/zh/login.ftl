login-title = 登录
login-lead = 与无需预先信任的机构共享和交易数据。
login-wrong = 用户名与密码不匹配。请检查后重试。
login-throttled = 尝试次数过多。请稍候（最多 { $wait }）再试。
login-expired = 会话已结束，请重新登录。
login-name = 用户名或电子邮箱
login-password = 密码
