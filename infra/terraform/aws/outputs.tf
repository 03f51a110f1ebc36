output "endpoint_url" {
  description = "Where tus clients upload to."
  value       = "${var.base_url == "" ? local.origin : var.base_url}${var.base_path}"
}

output "chunk_size" {
  description = "Largest chunk in bytes; set it in the client, which sends a whole file at once otherwise."
  value       = 4194304
}

output "bucket_name" {
  description = "Finished objects, and pieces of unfinished ones below .fileloft/."
  value       = aws_s3_bucket.objects.bucket
}

output "table_name" {
  description = "Records of uploads."
  value       = aws_dynamodb_table.records.name
}

output "function_names" {
  description = "The function that answers requests, and the one that sweeps."
  value       = { for role, f in aws_lambda_function.this : role => f.function_name }
}

output "log_groups" {
  description = "The functions' logs."
  value       = { for role, g in aws_cloudwatch_log_group.this : role => g.name }
}
