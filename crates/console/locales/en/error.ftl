error-heading = That did not work
error-back = Go back
error-about = About this error
error-request = If you ask for help, give this request id: <code>{ $id }</code>
