module github.com/fileloft/fileloft/tools/peer

go 1.26.0

require github.com/tus/tusd/v2 v2.9.2
