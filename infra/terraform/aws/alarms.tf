locals {
  alarm_actions = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]

  # Single 503s belong to the trade: a large object is being completed, or a store was slow. door-errors says that they go on.
  # A sweep that starts while one is running is refused, and that is well; for hours on end it is not.
  alarms = {
    endpoint-errors = {
      description = "The endpoint crashed or ran out of time or memory. Clients retry; look at its log."
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = aws_lambda_function.this["endpoint"].function_name }
      period      = 300
      periods     = 1
      threshold   = 1
    }
    endpoint-throttles = {
      description = "More requests at once than the endpoint's concurrency allows. Clients that do not retry on 429 give up."
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.this["endpoint"].function_name }
      period      = 300
      periods     = 1
      threshold   = 1
    }
    door-errors = {
      description = "The endpoint answered 5xx for a quarter of an hour."
      namespace   = var.door == "function-url" ? "AWS/Lambda" : "AWS/ApiGateway"
      metric      = { http-api = "5xx", rest-api = "5XXError", function-url = "Url5xxCount" }[var.door]
      dimensions = merge(
        { for api in aws_apigatewayv2_api.this : "ApiId" => api.id },
        { for api in aws_api_gateway_rest_api.this : "ApiName" => api.name },
        { for url in aws_lambda_function_url.this : "FunctionName" => url.function_name },
      )
      period    = 300
      periods   = 3
      threshold = 5
    }
    sweeper-errors = {
      description = "A sweep failed. What has expired stays, and is paid for, until one succeeds; look at the sweeper's log."
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = aws_lambda_function.this["sweeper"].function_name }
      period      = 3600
      periods     = 1
      threshold   = 1
    }
    sweeper-throttles = {
      description = "Sweeps have been refused for three hours, because others take so long or the account's concurrency is used up."
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.this["sweeper"].function_name }
      period      = 3600
      periods     = 3
      threshold   = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = "Sum"
  period              = each.value.period
  evaluation_periods  = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
  tags                = var.tags
}
