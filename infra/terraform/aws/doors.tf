# The doors. Each lets every method and path through, and leaves CORS to the function.

locals {
  http_api     = var.door == "http-api" ? 1 : 0
  rest_api     = var.door == "rest-api" ? 1 : 0
  function_url = var.door == "function-url" ? 1 : 0
  authorizer   = var.jwt == null ? 0 : 1

  execute_api = "arn:${data.aws_partition.current.partition}:execute-api:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}"

  # Without a slash at the end.
  origin = one(concat(
    aws_apigatewayv2_api.this[*].api_endpoint,
    aws_api_gateway_stage.this[*].invoke_url,
    [for u in aws_lambda_function_url.this : trimsuffix(u.function_url, "/")],
  ))
}

# ---- HTTP API --------------------------------------------------------------------------------------------------------

resource "aws_apigatewayv2_api" "this" {
  count         = local.http_api
  name          = var.name
  description   = "fileloft"
  protocol_type = "HTTP"
  tags          = var.tags
}

resource "aws_apigatewayv2_integration" "this" {
  count                  = local.http_api
  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_function.this["endpoint"].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_authorizer" "this" {
  count            = local.authorizer
  api_id           = aws_apigatewayv2_api.this[0].id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]
  jwt_configuration {
    issuer   = var.jwt.issuer
    audience = var.jwt.audience
  }
}

resource "aws_apigatewayv2_route" "default" {
  count              = local.http_api
  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = var.jwt == null ? "NONE" : "JWT"
  authorizer_id      = one(aws_apigatewayv2_authorizer.this[*].id)
}

# A browser's preflight carries no token. These routes are more exact than $default and go before it.
resource "aws_apigatewayv2_route" "preflight" {
  for_each           = toset(var.jwt == null ? [] : ["OPTIONS /", "OPTIONS /{proxy+}"])
  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = each.value
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = "NONE"
}

resource "aws_apigatewayv2_stage" "this" {
  count       = local.http_api
  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags
  default_route_settings {
    throttling_rate_limit  = var.throttle_rate
    throttling_burst_limit = var.throttle_burst
  }
}

resource "aws_lambda_permission" "http_api" {
  count         = local.http_api
  function_name = aws_lambda_function.this["endpoint"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.execute_api}:${aws_apigatewayv2_api.this[0].id}/*"
}

# ---- REST API --------------------------------------------------------------------------------------------------------

resource "aws_api_gateway_rest_api" "this" {
  count              = local.rest_api
  name               = var.name
  description        = "fileloft"
  binary_media_types = ["*/*"] # without, bodies would arrive as mangled text
  tags               = var.tags
  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_resource" "proxy" {
  count       = local.rest_api
  rest_api_id = aws_api_gateway_rest_api.this[0].id
  parent_id   = aws_api_gateway_rest_api.this[0].root_resource_id
  path_part   = "{proxy+}"
}

resource "aws_api_gateway_method" "this" {
  for_each = var.door == "rest-api" ? {
    root  = aws_api_gateway_rest_api.this[0].root_resource_id
    proxy = aws_api_gateway_resource.proxy[0].id
  } : {}
  rest_api_id   = aws_api_gateway_rest_api.this[0].id
  resource_id   = each.value
  http_method   = "ANY"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "this" {
  for_each                = aws_api_gateway_method.this
  rest_api_id             = each.value.rest_api_id
  resource_id             = each.value.resource_id
  http_method             = each.value.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.this["endpoint"].invoke_arn
}

resource "aws_api_gateway_deployment" "this" {
  count       = local.rest_api
  rest_api_id = aws_api_gateway_rest_api.this[0].id

  # A deployment is a snapshot: it is made anew when what it shows has changed.
  triggers = {
    methods = sha256(jsonencode([aws_api_gateway_method.this, aws_api_gateway_integration.this]))
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  count                = local.rest_api
  rest_api_id          = aws_api_gateway_rest_api.this[0].id
  deployment_id        = aws_api_gateway_deployment.this[0].id
  stage_name           = "live"
  xray_tracing_enabled = var.tracing
  tags                 = var.tags
}

resource "aws_api_gateway_method_settings" "this" {
  count       = local.rest_api
  rest_api_id = aws_api_gateway_rest_api.this[0].id
  stage_name  = aws_api_gateway_stage.this[0].stage_name
  method_path = "*/*"
  settings {
    throttling_rate_limit  = var.throttle_rate
    throttling_burst_limit = var.throttle_burst
  }
}

resource "aws_lambda_permission" "rest_api" {
  count         = local.rest_api
  function_name = aws_lambda_function.this["endpoint"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.execute_api}:${aws_api_gateway_rest_api.this[0].id}/*"
}

# ---- Function URL ----------------------------------------------------------------------------------------------------

resource "aws_lambda_function_url" "this" {
  count              = local.function_url
  function_name      = aws_lambda_function.this["endpoint"].function_name
  authorization_type = "NONE"
  invoke_mode        = "BUFFERED"
}

# A public function URL needs both, the second for calls through the URL alone.
resource "aws_lambda_permission" "function_url" {
  count                  = local.function_url
  function_name          = aws_lambda_function.this["endpoint"].function_name
  action                 = "lambda:InvokeFunctionUrl"
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "function_url_invoke" {
  count                    = local.function_url
  function_name            = aws_lambda_function.this["endpoint"].function_name
  action                   = "lambda:InvokeFunction"
  principal                = "*"
  invoked_via_function_url = true
}
