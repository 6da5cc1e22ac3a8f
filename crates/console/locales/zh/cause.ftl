# 步骤由谁决定，或哪次交互失败。时点和动作的名称与规则文件一致。
cause-person = 由本方人员决定
cause-webhook = 由规则所询问的程序决定
cause-rule = 由规则决定：{ $action }
cause-rule-at = 由针对 { $at } 的规则决定：{ $action }
cause-no-answer = { $message } 发往 { $url } 未获应答（尝试 { $attempts } 次）。{ $answer }
cause-answer = { $message } 发往 { $url } 的应答为 { $status }（尝试 { $attempts } 次）。{ $answer }
